#!/usr/bin/env python3
"""NDVI by Whitebox Workflows: ndvi_whitebox.py RED NIR OUT. Writes what its calculator writes.

Version 2.0.6 reads uint16 files with predictor 2 wrongly, so its result differs; it is right on files without predictor.
"""
import sys
from pathlib import Path

import whitebox_workflows

red, nir, out = (Path(p) for p in sys.argv[1:])
tools = whitebox_workflows.WbEnvironment()
tools.raster.raster_calculator(expression=f"('{nir.stem}' - '{red.stem}') / ('{nir.stem}' + '{red.stem}')",
                               inputs=[str(nir), str(red)], output=str(out))
