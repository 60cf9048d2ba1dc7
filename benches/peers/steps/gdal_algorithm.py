#!/usr/bin/env python3
"""Runs an algorithm of GDAL's `gdal` program (3.11 and later) from the library inside pyogrio's wheel, which comes without
the program: gdal_algorithm.py raster calc -i A=a.tif --calc A*2 -o out.tif. With --version prints the library's version.
"""
import ctypes
import glob
import os
import sys
from ctypes import c_bool, c_char_p, c_int, c_void_p

import pyogrio

FOLDER = os.path.dirname(pyogrio.__file__)


def library():
    os.environ.setdefault("GDAL_DATA", os.path.join(FOLDER, "gdal_data"))
    os.environ.setdefault("PROJ_DATA", os.path.join(FOLDER, "proj_data"))
    gdal = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(FOLDER), "pyogrio.libs", "libgdal*"))[0])

    def declare(name, result, *arguments):
        getattr(gdal, name).restype = result
        getattr(gdal, name).argtypes = arguments

    declare("GDALVersionInfo", c_char_p, c_char_p)
    declare("GDALGetGlobalAlgorithmRegistry", c_void_p)
    declare("GDALAlgorithmRegistryInstantiateAlg", c_void_p, c_void_p, c_char_p)
    declare("GDALAlgorithmHasSubAlgorithms", c_bool, c_void_p)
    declare("GDALAlgorithmInstantiateSubAlgorithm", c_void_p, c_void_p, c_char_p)
    declare("GDALAlgorithmParseCommandLineArguments", c_bool, c_void_p, c_void_p)
    declare("GDALAlgorithmRun", c_bool, c_void_p, c_void_p, c_void_p)
    declare("GDALAlgorithmFinalize", c_bool, c_void_p)
    declare("CSLAddString", c_void_p, c_void_p, c_char_p)
    declare("CPLGetLastErrorMsg", c_char_p)
    declare("CPLGetLastErrorType", c_int)
    gdal.GDALAllRegister()
    return gdal


def main(words):
    gdal = library()
    if words == ["--version"]:
        print(gdal.GDALVersionInfo(b"RELEASE_NAME").decode())
        return

    def need(ok, what):
        if not ok:
            sys.exit(f"{what}: {gdal.CPLGetLastErrorMsg().decode()}")
        return ok

    registry = gdal.GDALGetGlobalAlgorithmRegistry()
    algorithm = need(gdal.GDALAlgorithmRegistryInstantiateAlg(registry, words[0].encode()), f"no algorithm {words[0]}")
    words = words[1:]
    while words and gdal.GDALAlgorithmHasSubAlgorithms(algorithm):
        name, words = words[0], words[1:]
        algorithm = need(gdal.GDALAlgorithmInstantiateSubAlgorithm(algorithm, name.encode()), f"no algorithm {name}")
    arguments = None
    for word in words:
        arguments = gdal.CSLAddString(arguments, word.encode())
    need(gdal.GDALAlgorithmParseCommandLineArguments(algorithm, arguments), "arguments")
    need(gdal.GDALAlgorithmRun(algorithm, None, None), "running")
    need(gdal.GDALAlgorithmFinalize(algorithm), "finishing")


if __name__ == "__main__":
    main(sys.argv[1:])
