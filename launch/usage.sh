# Sourced by launch commands, with their arguments and $root: where hts_tf is not set up yet, --help is
# what the head of the command says, for whoever asks for help does not ask for an installation.

if [[ ! $(sed -n 1p "$root/.venv/hts_tf-stamp" 2>/dev/null) ]]; then
  for argument; do
    if [[ $argument == -h || $argument == --help ]]; then
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$root/launch/${0##*/}"
      printf '\nHere nothing is set up yet; after ./launch/setup.sh, --help lists all flags, too.\n'
      exit
    fi
  done
fi
