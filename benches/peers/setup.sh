#!/usr/bin/env bash
# Installs the peers: Python packages into a virtual environment that can be thrown away, and what only Debian has
# (gdal-bin, python3-gdal, otb-bin) where apt-get may be used.
#
# usage: setup.sh [FOLDER]       default: regrow-peers in the temporary folder
#
# WhiteboxTools' own package fetches its program from the maker's server when first used; whitebox-workflows carries the
# engine of the same makers inside its wheel and is what is measured.
set -euo pipefail
venv=${1:-${TMPDIR:-/tmp}/regrow-peers}
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy rasterio xarray rioxarray dask pyogrio shapely geopandas exactextract whitebox-workflows \
  hdstats geomad 'scipy<1.15'
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gdal-bin python3-gdal otb-bin
else
  echo 'not root: install gdal-bin, python3-gdal and otb-bin by hand for the peers gdal_calc and otb' >&2
fi
echo "next: $venv/bin/python $(dirname "$0")/run.py --regrow target/release/regrow"
