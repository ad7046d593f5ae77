# What is public, and where it lies: read by type checkers and editors, and by __init__.py.
from . import plot as plot
from .diagnostics.check import Check as Check
from .diagnostics.check import check as check
from .diagnostics.k import estimate_k as estimate_k
from .errors import XpadError as XpadError
from .errors import XpadWarning as XpadWarning
from .fitting.fit import fit as fit
from .model.model import Model as Model
from .model.saved import load_model as load_model
from .model.saved import save_model as save_model
from .pads.canonical import flux as flux
from .readers import open_dataset as open_dataset
from .readers.objects import as_dataset as as_dataset
from .readers.tplot import fetch as fetch
from .readers.tplot import from_tplot as from_tplot
from .readers.tplot import to_tplot as to_tplot
from .results.cluster import cluster as cluster
from .results.predict import predict as predict
from .results.steps import encode as encode
from .results.steps import label as label
from .results.steps import normalise as normalise
from .results.steps import pca as pca
from .roles.missions import missions as missions
from .roles.missions import register_mission as register_mission
from .roles.recognise import assign_roles as assign_roles
from .roles.recognise import recognise as recognise
from .settings import PRESETS as PRESETS
from .settings import Settings as Settings
from .simulation.mission import simulate as simulate
from .statistics.catalogue import catalogue as catalogue
from .writing.to_zarr import cluster_to_zarr as cluster_to_zarr
from .writing.to_zarr import predict_to_zarr as predict_to_zarr

__version__: str
