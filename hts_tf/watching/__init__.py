"""What people look at: progress, TensorBoard, traces, videos."""
