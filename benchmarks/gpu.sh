#!/usr/bin/env bash
# Our gsplat backend on an NVIDIA card, proved and measured in ten minutes at most.
#
#   benchmarks/gpu.sh [--dry] [PART...]
#
# Needs Linux with an NVIDIA driver, nvcc and C++ compiler (CUDA 13), Python 3.12 with PyTorch for CUDA, NumPy,
# SciPy, numba, OpenCV (headless), Pillow, Jinja2, rich, psutil, requests, PyYAML, grpcio, protobuf and ninja, and
# no network: all else lies in .gpu/, which benchmarks/gpu_prepare.sh makes. Nothing is installed: packages are
# unpacked to build/gpu/. Results go to the folder $OUT (default gpu-results): table.txt, rows.json, log.txt, pictures.
# --dry runs every part on the CPU with a tiny scene, as far as it goes, and needs no .gpu/.
# $PYTHON names another interpreter than python3.
# A part that fails or is cut leaves its row, the others run, and the exit code is 1.
set -uo pipefail
cd "$(dirname "$0")/.."

dry=""
if [[ ${1:-} == --dry ]]; then dry=--dry; shift; fi
parts=("$@")
(( ${#parts[@]} )) || parts=(card compile kernels fox fountain pipeline long)

# Seconds: of all, and by part its own limit and what it must leave to the parts after it.
# The dry run takes no card's time and may have a busy machine: it gets six times as much.
slack=1
if [[ -n $dry ]]; then slack=6; fi
total=$((${GPU_SECONDS:-590} * slack))
declare -A limit=([card]=40 [compile]=220 [kernels]=70 [fox]=230 [fountain]=120 [pipeline]=110 [long]=300)
declare -A keep=([card]=0 [compile]=200 [kernels]=180 [fox]=140 [fountain]=85 [pipeline]=0 [long]=0)

OUT=$(realpath -m "${OUT:-gpu-results}")
mkdir -p "$OUT" build/gpu
rm -f "$OUT"/{table.txt,rows.json,log.txt}
export OUT PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=${NUMBA_CACHE_DIR:-$PWD/build/gpu/numba}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
# The tiny scene is no work to share, and threads that wait for each other would wait long on a busy machine.
if [[ -n $dry ]]; then export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1; fi
python=${PYTHON:-python3}
# PyTorch looks for ninja there.
PATH=$("$python" -c 'import os, sys; print(os.path.dirname(sys.executable))'):$PATH
failed=0

unpack() {
  local site=build/gpu/site
  if [[ ! -d $site ]]; then
    rm -rf "$site.part"
    "$python" -m tarfile -e .gpu/site.tar.xz "$site.part" && mv "$site.part" "$site" || failed=1
  fi
  PYTHONPATH=$PWD/$site:$PYTHONPATH
}

run_part() {
  local part=$1 seconds=$((limit[$1] * slack)) left=$((total - SECONDS - keep[$1])) code=0
  (( left < seconds )) && seconds=$left
  if (( seconds < 10 )); then
    "$python" -m benchmarks.gpu.table "$part" "no time left"
    return
  fi
  timeout -k 5 "$seconds" "$python" -m benchmarks.gpu "$part" $dry --seconds "$((seconds - 3))" || code=$?
  if (( code == 124 || code == 137 )); then
    "$python" -m benchmarks.gpu.table "$part" "cut after $seconds s"
  fi
  (( code == 0 )) || failed=1
}

main() {
  [[ -n $dry ]] || unpack
  "$python" -m benchmarks.gpu warm $dry &
  local warming=$! part
  for part in "${parts[@]}"; do
    [[ $part == card || $part == compile ]] || wait "$warming"
    run_part "$part"
  done
  "$python" -m benchmarks.gpu.goals $dry || failed=1
  echo
  cat "$OUT/table.txt"
  return "$failed"
}

main 2>&1 | tee "$OUT/log.txt"
