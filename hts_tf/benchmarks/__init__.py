"""What `./launch/benchmark.sh` runs: measurements that print their figures and assert nothing."""
