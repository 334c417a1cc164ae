"""Our gsplat backend on a real card: the parts that `benchmarks/gpu.sh` runs one after the other."""
