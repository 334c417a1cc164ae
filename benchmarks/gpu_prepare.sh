#!/usr/bin/env bash
# Makes .gpu/, all that gpu.sh needs on a machine without network: packages for its Python 3.12, and two captures.
#
#   benchmarks/gpu_prepare.sh [FOX FOUNTAIN]
#
# FOX and FOUNTAIN are folders of photos (default: those beside the repository). Their cameras and dense clouds are
# made by the pipeline, which takes half an hour on two cores; what is finished is reused.
set -euo pipefail
cd "$(dirname "$0")/.."
fox=${1:-../shared/data/fox/images}
fountain=${2:-../shared/data/fountain-P11/images}
most_mib=60
work=build/gpu-prepare

# Packages lie unpacked in one xz archive: as wheels they would not fit. av (36 MB, for videos) stays behind.
site=$work/site
rm -rf "$site" && mkdir -p "$site" .gpu
.venv/bin/python -m pip install -q --no-deps --no-compile --only-binary=:all: --target "$site" \
  --implementation cp --python-version 3.12 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_24_x86_64 \
  --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux1_x86_64 \
  -r benchmarks/gpu/requirements.txt
# Manuals of a library of headers, 3 MB that do not compress.
rm -rf "$site"/gsplat/cuda/csrc/third_party/glm/{doc,test}
tar -C "$site" -cf - . | xz -6 -T0 > .gpu/site.tar.xz.part
mv .gpu/site.tar.xz.part .gpu/site.tar.xz

prepare_capture() {
  DAGSTER_HOME=$PWD/$work/home .venv/bin/ds3d reconstruct "$2" --name "$1" --config "benchmarks/gpu/$1.json" \
    --output "$work/captures"
  .venv/bin/python -m benchmarks.gpu.prepare "$work/captures/$1" ".gpu/$1" "$1"
}
prepare_capture fox "$fox"
prepare_capture fountain "$fountain"

du -sm .gpu/*
mib=$(du -sm .gpu | cut -f1)
if (( mib > most_mib )); then
  echo ".gpu holds $mib MiB, more than the $most_mib that may travel" >&2
  exit 1
fi
