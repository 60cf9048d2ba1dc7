#!/usr/bin/env python3
"""Zonal statistics by exactextract: zonal_exactextract.py STRATEGY ZONES OUT.csv STATS RASTER..."""
import sys

import geopandas
from exactextract import exact_extract

strategy, zones, out, stats, *rasters = sys.argv[1:]
table = exact_extract(rasters, geopandas.read_file(zones), stats.split(","), include_cols=["parcel_id"],
                      strategy=strategy, output="pandas")
table.to_csv(out, index=False)
