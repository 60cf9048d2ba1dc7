"""The tasks: what regrow runs, what each peer runs, and which results are compared.

A task is a function of a `Bench` that returns a `Task`. Chains are lists of commands; `out` is an empty folder of the
chain's own, and what is compared is a file in it.
"""
import sys
from dataclasses import dataclass, field
from pathlib import Path

STEPS = Path(__file__).parent / "steps"
TEN = ["NDVI", "EVI", "SAVI", "MSAVI", "GNDVI", "NDWI", "MNDWI", "BSI", "NBR", "NDMI"]
BANDS = ["blue", "green", "red", "nir", "swir16", "swir22"]
FUSED = ["blue", "red", "nir", "swir16"]
STATS = "count,mean,stdev,min,max"


@dataclass
class Bench:
    """Where things are."""
    regrow: Path
    inputs: Path
    size: int
    prepared: Path

    def band(self, name, date="before"):
        return self.inputs / f"{date}_{name}.tif"


@dataclass
class Task:
    """`ours` and `peers` map an output folder to a chain; `compare` names the kind of comparison."""
    title: str
    ours: callable
    peers: dict
    compare: str = "none"
    ours_file: str = ""
    peer_file: str = ""
    note: str = ""
    prepare: list = field(default_factory=list)


def step(name, *words):
    return [sys.executable, STEPS / name, *words]


def gdal312(*words):
    return step("gdal_algorithm.py", *words)


def cog(source, out, codec):
    """What turns a GeoTIFF into the COG that regrow writes at once."""
    options = {
        "zstd": ["COMPRESS=ZSTD", "LEVEL=1", "PREDICTOR=FLOATING_POINT"],
        "deflate": ["COMPRESS=DEFLATE", "LEVEL=6", "PREDICTOR=FLOATING_POINT"],
        "none": ["COMPRESS=NONE"],
    }[codec]
    options += ["NUM_THREADS=ALL_CPUS", "OVERVIEW_RESAMPLING=AVERAGE", "BLOCKSIZE=512", "BIGTIFF=IF_SAFER"]
    return options if source is None else [
        "gdal_translate", "-q", "-of", "COG", *(w for o in options for w in ("-co", o)), source, out]


def calc(out, expression, **files):
    """gdal_calc.py into an uncompressed GeoTIFF."""
    names = [w for name, path in files.items() for w in (f"-{name}", path)]
    return ["gdal_calc.py", *names, "--calc", expression, "--type", "Float32", "--outfile", out, "--quiet",
            "--NoDataValue", "nan", "--co", "TILED=YES", "--co", "BIGTIFF=IF_SAFER"]


NDVI = "(A.astype(float32)-B)/(A.astype(float32)+B)"


def ndvi(codec, overviews=True):
    """NDVI as a COG with average overviews; with codec `plain` an uncompressed GeoTIFF without."""
    def task(b):
        red, nir = b.band("red"), b.band("nir")
        storage = "none" if codec == "plain" else codec
        last = (lambda out, chain: chain) if codec == "plain" else (
            lambda out, chain: chain + [cog(out / "raw.tif", out / "ndvi.tif", storage)])
        raw = (lambda out: out / "ndvi.tif") if codec == "plain" else (lambda out: out / "raw.tif")
        own = ["--co", f"COMPRESS={storage.upper()}"] + (["--co", "OVERVIEWS=NONE"] if codec == "plain" else [])

        def ours(out, *more):
            return [[b.regrow, "index", "NDVI", f"red={red}", f"nir={nir}", "-o", out / "ndvi.tif", *own, "--quiet", *more]]

        def calc312(out):
            # The wheel's library has no parser of expressions, but a function that is NDVI.
            words = ["raster", "calc", "--dialect", "builtin", "-i", nir, "-i", red, "--calc", "norm_diff", "--ot", "Float32"]
            if codec == "plain":
                return [gdal312(*words, "--co", "TILED=YES", "--co", "BIGTIFF=IF_SAFER", "-o", out / "ndvi.tif")]
            options = [w for o in cog(None, None, storage) for w in ("--co", o)]
            return [gdal312(*words, "--of", "COG", *options, "-o", out / "ndvi.tif")]

        def rio(out):
            band = "(read {} 1 'float32')".format
            expression = f"(/ (- {band(1)} {band(2)}) (+ {band(1)} {band(2)}))"
            return last(out, [[Path(sys.executable).parent / "rio", "calc", expression, nir, red, raw(out),
                               "--dtype", "float32", "--not-masked", "--co", "tiled=true", "--co", "bigtiff=if_safer",
                               "--co", "compress=none", "--co", "predictor=1"]])

        def numpy(out):
            if codec == "plain":
                return [step("ndvi_numpy.py", red, nir, out / "ndvi.tif")]
            options = [o for o in cog(None, None, storage) if not o.startswith("NUM_THREADS")]
            return [step("ndvi_numpy.py", red, nir, out / "ndvi.tif", "DRIVER=COG", *options)]

        def otb(out):
            target = f"{raw(out)}?&gdal:co:TILED=YES&gdal:co:BIGTIFF=IF_SAFER"
            return last(out, [["otbcli_BandMath", "-il", nir, red, "-out", target, "float", "-exp",
                               "(im1b1-im2b1)/(im1b1+im2b1)", "-ram", "2048"]])

        peers = {
            "regrow, 1 thread": lambda out: ours(out, "--threads", "1"),
            "regrow, --memory 96MiB": lambda out: ours(out, "--memory", "96MiB"),
            "gdal_calc.py": lambda out: last(out, [calc(raw(out), NDVI, A=nir, B=red)]),
            "gdal raster calc (3.12)": calc312,
            "rio calc": rio,
            "numpy, rasterio threads": numpy,
            "xarray, dask": lambda out: last(out, [step("ndvi_dask.py", red, nir, raw(out))]),
            "OTB BandMath": otb,
            # WhiteboxTools' engine; its own package fetches the program from the maker's server.
            "Whitebox Workflows": lambda out: last(out, [step("ndvi_whitebox.py", red, nir, raw(out))]),
        }
        if codec == "zstd":
            # The wheel's library has no ZSTD.
            del peers["gdal raster calc (3.12)"]
        title = {
            "zstd": "NDVI to a COG, zstd 1", "deflate": "NDVI to a COG, deflate 6", "none": "NDVI to a COG, uncompressed",
            "plain": "NDVI to an uncompressed GeoTIFF without overviews",
        }[codec]
        note = "" if codec == "plain" else (
            "gdal_calc.py, rio calc, dask, OTB and Whitebox write an uncompressed GeoTIFF first and `gdal_translate -of COG` "
            "makes the COG of it; GDAL 3.12 and numpy (from memory) write the COG themselves.")
        return Task(title, ours, peers, "raster", "ndvi.tif", "ndvi.tif", note)
    return task


def scene(b, names, date="before"):
    return [f"{n}={b.band(n, date)}" for n in names]


def ten(b):
    """Ten indices in one pass."""
    words = [*scene(b, BANDS), "--scale", "0.0001", "--quiet"]

    def gdal(out):
        # Reflectance as regrow reads it; EVI, SAVI and MSAVI depend on the scale.
        f = lambda n: f"({n}.astype(float32)*float32(0.0001))"
        blue, green, red, nir, s1, s2 = (f(n) for n in "ABCDEF")
        ratio = lambda x, y: f"({x}-{y})/({x}+{y})"
        formulas = {
            "NDVI": ratio(nir, red), "EVI": f"2.5*({nir}-{red})/({nir}+6*{red}-7.5*{blue}+1)",
            "SAVI": f"1.5*({nir}-{red})/({nir}+{red}+0.5)",
            "MSAVI": f"0.5*(2*{nir}+1-sqrt((2*{nir}+1)**2-8*({nir}-{red})))",
            "GNDVI": ratio(nir, green), "NDWI": ratio(green, nir), "MNDWI": ratio(green, s1),
            "BSI": f"(({s1}+{red})-({nir}+{blue}))/(({s1}+{red})+({nir}+{blue}))",
            "NBR": ratio(nir, s2), "NDMI": ratio(nir, s1),
        }
        chain = []
        for name in TEN:
            files = {letter: b.band(band) for letter, band in zip("ABCDEF", BANDS) if letter + "." in formulas[name]}
            chain.append(calc(out / f"{name}_raw.tif", formulas[name], **files))
            chain.append(cog(out / f"{name}_raw.tif", out / f"{name}.tif", "zstd"))
        return chain

    return Task(
        "Ten indices, zstd 1",
        lambda out: [[b.regrow, "index", ",".join(TEN), *words, "-o", out / "ten.tif"]],
        {
            "regrow, one index (NDVI)": lambda out: [[b.regrow, "index", "NDVI", *words, "-o", out / "NDVI.tif"]],
            "regrow, ten runs of one": lambda out: [
                [b.regrow, "index", n, *words, "-o", out / f"{n}.tif"] for n in TEN],
            "gdal_calc.py, ten runs": gdal,
        }, "bands", "ten.tif", "",
        "One file of ten bands against ten files. The difference is the largest of all bands.")


def fused(b):
    """Two dates: NDVI, BSI, cover, bare land, change and figures of 1,000 parcels."""
    zones = b.inputs / "parcels.gpkg"
    dates = [("before", "2018-07-12"), ("after", "2024-07-15")]

    def project(out):
        text = f'[project]\nname = "peers"\noutput = "out"\nzones = {{ path = "{zones}", id = "parcel_id" }}\n'
        for role, date in dates:
            bands = ", ".join(f'{n} = "{b.band(n, role)}"' for n in FUSED)
            text += f'\n[[scene]]\nrole = "{role}"\ndate = {date}\nscale = 0.0001\nbands = {{ {bands} }}\n'
        text += '\n[products]\nindices = ["NDVI", "BSI"]\ncover = { soil = 0.15, vegetation = 0.85 }\n'
        text += 'bare = { method = "fixed" }\nchange = { index = "NDVI" }\n'
        (out / "project.toml").write_text(text)
        return [[b.regrow, "run", out / "project.toml", "--quiet"]]

    def verbs(out):
        chain, rasters = [], []
        common = ["--scale", "0.0001", "--quiet"]
        table = ["--zones", zones, "--id", "parcel_id"]
        for role, _ in dates:
            bands = scene(b, FUSED, role)
            for name in ("NDVI", "BSI"):
                rasters.append(out / f"{name.lower()}_{role}.tif")
                chain.append([b.regrow, "index", name, *bands, "-o", rasters[-1], *common])
            rasters.append(out / f"cover_{role}.tif")
            chain.append([b.regrow, "cover", *bands, "--soil", "0.15", "--veg", "0.85", "-o", rasters[-1],
                          "--classes", out / f"cover_classes_{role}.tif", *common])
            chain.append([b.regrow, "bare", *bands, "--method", "fixed", "-o", out / f"bare_{role}.tif",
                          "--table", out / f"bare_{role}.csv", *table, *common])
        rasters.append(out / "change.tif")
        # A date of `change` is one raster; the NDVI made before is one.
        chain.append([b.regrow, "change", rasters[0], rasters[3], "--expr", "value", "-o", rasters[-1], "--classes",
                      out / "change_classes.tif", "--table", out / "change.csv", *table, "--quiet"])
        chain.append([b.regrow, "zonal", *rasters, "--zones", zones, "--id", "parcel_id", "--stats", "mean", "-o",
                      out / "zones.csv", "--quiet"])
        return chain

    def gdal(out):
        chain, rasters = [], []
        ndvi = "(B.astype(float32)-A)/(B.astype(float32)+A)"
        for role, _ in dates:
            red, nir = b.band("red", role), b.band("nir", role)
            chain.append(calc(out / f"ndvi_{role}_raw.tif", ndvi, A=red, B=nir))
            f = lambda n: f"{n}.astype(float32)"
            bsi = f"(({f('C')}+{f('A')})-({f('B')}+{f('D')}))/(({f('C')}+{f('A')})+({f('B')}+{f('D')}))"
            chain.append(calc(out / f"bsi_{role}_raw.tif", bsi, A=red, B=nir, C=b.band("swir16", role),
                              D=b.band("blue", role)))
            source = out / f"ndvi_{role}_raw.tif"
            chain.append(calc(out / f"cover_{role}_raw.tif", "clip((A-0.15)/0.7,0,1)", A=source))
            chain.append(calc(out / f"bare_{role}_raw.tif", "A<=0.2", A=source))
        before, after = out / "ndvi_before_raw.tif", out / "ndvi_after_raw.tif"
        chain.append(calc(out / "change_raw.tif", "B-A", A=before, B=after))
        for name in ("ndvi_before", "ndvi_after", "bsi_before", "bsi_after", "cover_before", "cover_after",
                     "bare_before", "bare_after", "change"):
            rasters.append(out / f"{name}.tif")
            chain.append(cog(out / f"{name}_raw.tif", rasters[-1], "zstd"))
        chain.append(step("zonal_exactextract.py", "raster-sequential", zones, out / "zones.csv", "mean", *rasters))
        return chain

    return Task(
        "Two dates: NDVI, BSI, cover, bare land, change, 1,000 parcels", project,
        {"regrow, single verbs": verbs, "gdal_calc.py, exactextract": gdal}, "none",
        note="`regrow run` also writes class maps, tables of hectares, hashes of all files and the report; the single verbs "
             "write class maps and tables; the peers write rasters and means alone.")


def zonal(b):
    """Statistics of NDVI in 1,000 parcels by exact coverage."""
    raster, zones = b.prepared / "ndvi.tif", b.inputs / "parcels.gpkg"
    extract = lambda strategy: lambda out: [step("zonal_exactextract.py", strategy, zones, out / "zonal.csv",
                                                 "count,mean,stdev,min,max", raster)]
    words = ["raster", "zonal-stats", "-i", raster, "--zones", zones, "--include-field", "parcel_id", "--pixels",
             "fractional", *(w for name in STATS.split(",") for w in ("--stat", name))]
    return Task(
        "Zonal statistics of NDVI in 1,000 parcels",
        lambda out: [[b.regrow, "zonal", raster, "--zones", zones, "--id", "parcel_id", "--stats", STATS, "-o",
                      out / "zonal.csv", "--quiet"]],
        {"exactextract, feature-sequential": extract("feature-sequential"),
         "exactextract, raster-sequential": extract("raster-sequential"),
         "gdal raster zonal-stats (3.12)": lambda out: [gdal312(*words, "-o", out / "zonal.csv")]},
        "table", "zonal.csv", "zonal.csv", "The difference is the largest of the parcels' means.")


def polygonize(b):
    """Polygons of bare land."""
    words = [*scene(b, BANDS), "--scale", "0.0001", "--min-area", "0.5ha", "--quiet"]
    # Nodata apart, the classes are 0 and 1; regrow outlines the ones, and so must the peers.
    ones = b.prepared / "bare_ones.tif"
    polygons = ["gdal_polygonize.py", "-q", "-8", ones]
    return Task(
        "Bare land with polygons",
        lambda out: [[b.regrow, "bare", *words, "-o", out / "bare.tif", "--polygons", out / "bare.gpkg", "--connect", "8"]],
        {"regrow, without polygons": lambda out: [
            [b.regrow, "bare", *words, "-o", out / "bare.tif", "--connect", "8"]],
         "gdal_polygonize.py, polygons alone": lambda out: [[*polygons, "-f", "GPKG", out / "bare.gpkg", "bare", "class"]],
         "gdal raster polygonize (3.12), alone": lambda out: [gdal312(
             "raster", "polygonize", "-i", ones, "-o", out / "bare.gpkg", "--nln", "bare", "--attribute-name", "class",
             "--connect-diagonal-pixels")]},
        "polygons", "bare.gpkg", "bare.gpkg",
        "regrow reads six bands, maps bare land, leaves out patches under 0.5 ha, writes the map and outlines it; the peers "
        "outline that finished map. The difference is that of the total area, as a share.")


def idw(b):
    """Inverse distance weighting of 2,000 samples on a cell for 8 x 8 pixels."""
    cells = -(-b.size // 8)
    west, north = 500_000, 4_900_000
    east, south = west + cells * 80, north - cells * 80
    # A tenth of the scene holds about twice as many samples as are used; gdal_grid sorts all it finds within the radius.
    samples, radius = b.inputs / "samples.csv", b.size * 1.0

    def gdal(out):
        layer = out / "samples.vrt"
        layer.write_text(
            f"<OGRVRTDataSource><OGRVRTLayer name='samples'><SrcDataSource>{samples}</SrcDataSource>"
            "<GeometryType>wkbPoint</GeometryType><GeometryField encoding='PointFromColumns' x='x' y='y'/>"
            "<Field name='zn_mg_kg' type='Real'/></OGRVRTLayer></OGRVRTDataSource>")
        return [["gdal_grid", "-q", "-a", f"invdistnn:power=2:max_points=32:radius={radius}:nodata=nan", "-zfield",
                 "zn_mg_kg", "-a_srs", "EPSG:32634", "-txe", west, east, "-tye", north, south, "-outsize", cells, cells,
                 "-ot", "Float32", "-co", "TILED=YES", "-l", "samples", layer, out / "idw.tif"]]

    return Task(
        "Inverse distance weighting, 2,000 samples, the nearest 32 within a tenth of the scene",
        lambda out: [[b.regrow, "interpolate", samples, "--value", "zn_mg_kg", "--crs", "EPSG:32634", "--method", "idw",
                      "--nmax", "32", "--radius", radius, "--res", "80", "--bbox", f"{west},{south},{east},{north}", "-o",
                      out / "idw.tif", "--quiet"]],
        {"gdal_grid": gdal}, "raster", "idw.tif", "idw.tif")


def composite(method):
    """60 dates of six bands within a gigabyte."""
    def task(b):
        series = sorted(b.prepared.glob("S_*.tif"))
        peers = {
            "median": {
                "numpy.nanmedian by blocks": lambda out: [step("composite_numpy.py", "median", out / "c.tif", *series)],
                "xarray, dask": lambda out: [step("composite_dask.py", out / "c.tif", *series)],
            },
            "geomedian": {
                name: lambda out, name=name: [step("composite_numpy.py", name, out / "c.tif", *series)]
                for name in ("hdstats", "geomad")
            },
        }[method]
        ours = lambda out: [[b.regrow, "composite", *series, "--method", method, "--memory", "1GiB", "-o", out / "c.tif",
                             "--quiet"]]
        return Task(f"Composite of 60 dates x 6 bands: {method}", ours, peers, "raster", "c.tif", "c.tif",
                    "regrow writes a COG (zstd 1) and the count of dates; peers write an uncompressed GeoTIFF. geomad is what "
                    "odc-algo calls.")
    return task


TASKS = {
    "median": composite("median"), "geomedian": composite("geomedian"),
    "ndvi-zstd": ndvi("zstd"), "ndvi-deflate": ndvi("deflate"), "ndvi-none": ndvi("none"), "ndvi-plain": ndvi("plain"),
    "ten": ten, "fused": fused, "zonal": zonal, "polygonize": polygonize, "idw": idw,
}
