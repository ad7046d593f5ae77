"""The command line: xpad info, cluster, predict, plot, missions, demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpad.errors import OptionError, XpadError, XpadWarning
from xpad.settings import DEFAULT_PRESET, PRESETS, Setting, Settings, table
from xpad.settings.constraints import Written
from xpad.storage.place import Place

if TYPE_CHECKING:
    import xarray as xr

    from xpad.model.model import Model

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        Exit code: 0 done, 1 an error told in one line, 2 wrong usage, 130 interrupted.
    """
    arguments = parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line_warning
            warnings.filterwarnings("always", category=XpadWarning)
            arguments.run(arguments)
    except XpadError as err:
        print(f"xpad: {' '.join(str(err).split())}", file=sys.stderr)
        return EXIT_ERROR
    except OSError as err:
        if isinstance(err, BrokenPipeError):
            # The reader of our output (head, less) has gone; there is nobody to tell.
            sys.stderr.close()
            return 0
        print(f"xpad: {err}{_how_to_go_on(arguments, '')}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print(f"xpad: interrupted{_how_to_go_on(arguments)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _how_to_go_on(
    arguments: argparse.Namespace, else_: str = "; nothing half-written was left behind"
) -> str:
    from xpad.storage.place import UNFINISHED

    output = str(getattr(arguments, "output", ""))
    if output and Path(output.rstrip("/") + UNFINISHED).exists():
        return "; the same command again (without --overwrite) goes on from here"
    return else_


def _one_line_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    if issubclass(category, XpadWarning):
        print(f"xpad: warning: {' '.join(str(message).split())}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The parser; every setting of the method is an option of ``cluster``."""
    top = _Parser(
        prog="xpad", description="Sort pitch-angle distributions into their typical shapes."
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    info = commands.add_parser("info", help="what files hold: flux, axes, usable records")
    _input_options(info)
    info.set_defaults(run=run_info)

    cluster = commands.add_parser(
        "cluster",
        help="fit and label; results and model into a Zarr store",
        usage="%(prog)s FILE [FILE ...] -o STORE [options]",
        description="Fit and label; results and model go into a Zarr store. A setting that is not "
        f"given is the preset's; in brackets, that of {DEFAULT_PRESET}.",
    )
    _input_options(cluster)
    _output_options(cluster)
    cluster.add_argument("--preset", default=DEFAULT_PRESET, choices=list(PRESETS),
                         help="parameter set to begin from")  # fmt: skip
    cluster.add_argument("--settings", type=_told_by_argparse(_settings_in), metavar="FILE",
                         help="all settings at once, instead of a preset and single ones: a JSON "
                         "file, as a result's attribute pad_settings holds them")  # fmt: skip
    _resource_options(cluster)
    _setting_options(cluster)
    cluster.set_defaults(run=run_cluster)

    predict = commands.add_parser("predict", help="label files with a model fitted before")
    _input_options(predict)
    predict.add_argument("--model", required=True, metavar="STORE",
                         help="what xpad cluster or model.save wrote")  # fmt: skip
    _output_options(predict)
    _resource_options(predict, "storage_options")
    predict.set_defaults(run=run_predict)

    plot = commands.add_parser("plot", help="pictures of a result")
    plot.add_argument("store", metavar="STORE", help="what xpad cluster wrote")
    plot.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder for the pictures"
    )
    plot.add_argument(
        "--prefix", help="how the names of the results begin, where there are several"
    )
    plot.add_argument("--format", default="png", choices=("png", "pdf", "svg"))
    plot.add_argument("--overwrite", action="store_true", help="replace pictures that are there")
    plot.set_defaults(run=run_plot)

    missions = commands.add_parser("missions", help="the products that are known")
    missions.add_argument(
        "words", nargs="*", metavar="WORD", help="only those with all of these words in their row"
    )
    missions.set_defaults(run=run_missions)

    demo = commands.add_parser("demo", help="simulate a mission, cluster it, draw the pictures")
    demo.add_argument("-o", "--output", default="xpad-demo", metavar="DIR", help="folder to make")
    demo.add_argument("--days", type=float, default=3.0, help="length of the simulated mission")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--overwrite", action="store_true", help="replace the folder if it is there")
    demo.add_argument("--quiet", action="store_true", help="no progress bars")
    demo.set_defaults(run=run_demo)
    return top


class _Parser(argparse.ArgumentParser):
    """Takes options by their whole names: a shortened one might be another's tomorrow."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **given})


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        import xpad

        print(f"xpad {xpad.__version__}")
        parser.exit()


def _input_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help="files, globs or a Zarr store")
    command.add_argument(
        "--variable", help="the flux, where another than the preferred one is meant"
    )
    command.add_argument("--on-error", default="raise", choices=("raise", "skip"),
                         help="skip files that cannot be read, and list them")  # fmt: skip


def _output_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o", "--output", required=True, metavar="STORE", help="Zarr store to write"
    )
    command.add_argument(
        "--overwrite", action="store_true", help="replace the store if it is there"
    )
    command.add_argument("--keep-flux", action="store_true", help="write the flux too")
    command.add_argument("--scheduler", metavar="ADDRESS",
                         help="dask scheduler to compute on (tcp://…, or its .json file)")  # fmt: skip
    command.add_argument("--prefix", default="pad", help="begins the names of the results")
    command.add_argument("--quiet", action="store_true", help="no progress bars")


_NO_TEXT: dict[str, dict[str, Any]] = {
    "storage_options": {"type": lambda text: _json_object(text, repr(text)), "metavar": "JSON"}
}
"""Resources that stand as more than a text."""


def _resource_options(command: argparse.ArgumentParser, *only: str) -> None:
    """One option for each resource, or for some of them."""
    from xpad.fitting.resources import RESOURCES, resources

    group = command.add_argument_group(RESOURCES)
    for name in only or resources():
        how = {"metavar": name.upper(), **_NO_TEXT.get(name, {})}
        group.add_argument(_option(name), dest=f"set_{name}", default=argparse.SUPPRESS,
                           help=resources()[name].text, **how)  # fmt: skip


def _json_object(text: str, called: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"{called} is not JSON ({err})") from err
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{called} is not a JSON object")
    return found


def _setting_options(command: argparse.ArgumentParser) -> None:
    """One option for each setting, as the table says."""
    for section, settings in groupby(table().values(), key=lambda setting: setting.section):
        group = command.add_argument_group(f"settings: {section}")
        for setting in settings:
            default = "none" if setting.default is None else setting.default
            group.add_argument(_option(setting.name), dest=f"set_{setting.name}",
                               default=argparse.SUPPRESS, **_value(setting),
                               help=f"{setting.text} [{default}]".replace("%", "%%"))  # fmt: skip


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _value(setting: Setting) -> dict[str, Any]:
    """How the value of a setting stands on the command line."""
    written = setting.constraint
    if not isinstance(written, Written):
        return {"action": argparse.BooleanOptionalAction}
    several = isinstance(written.metavar, tuple)
    return {
        "type": _told_by_argparse(setting.read),
        "metavar": written.metavar,
        "nargs": len(written.metavar) if several else None,
    }


def _told_by_argparse(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of texts whose refusals argparse tells in their own words."""

    def parsed(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, OSError) as err:
            raise argparse.ArgumentTypeError(str(err)) from err

    return parsed


def _settings_in(path: str) -> Settings:
    """The settings in a JSON file, as `Settings.as_dict` gives them."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise argparse.ArgumentTypeError(f"{path} is not a text in UTF-8 ({err})") from err
    return Settings.from_dict(_json_object(text, path))


def run_info(arguments: argparse.Namespace) -> None:
    """Say what files hold, and which records are usable."""
    import xpad
    from xpad.roles import describe as formatting

    ds = _opened(arguments)
    if arguments.variable is not None:
        ds = xpad.assign_roles(ds, flux=arguments.variable)
    if formatting.results(ds) and not _has_flux(ds):
        print(formatting.text(ds))
        return
    roles = xpad.recognise(ds)
    print(formatting.text(ds))
    if not roles.record_dims:
        raise OptionError(
            f"{roles.chosen.label} has no record dimension: it is a single distribution"
        )
    print(repr(xpad.check(ds, progress=False)))
    for name in ds.attrs.get("xpad_skipped", []) or []:
        print(f"    skipped          {name}")


def _has_flux(ds: xr.Dataset) -> bool:
    from xpad.errors import RolesError
    from xpad.roles.recognise import recognise

    try:
        recognise(ds)
    except RolesError:
        return False
    return True


def run_cluster(arguments: argparse.Namespace) -> None:
    """Fit, label and write."""
    import xpad

    options = {
        name.removeprefix("set_"): value
        for name, value in vars(arguments).items()
        if name.startswith("set_")
    }
    if arguments.settings is not None:
        _require_alone(arguments, options)
    Place.of(arguments.output).require_apart(arguments.files)
    with _scheduler(arguments.scheduler):
        out = xpad.cluster_to_zarr(
            _opened(arguments),
            arguments.output,
            arguments.variable,
            preset=arguments.preset,
            settings=arguments.settings,
            prefix=arguments.prefix,
            keep_flux=arguments.keep_flux,
            overwrite=arguments.overwrite,
            progress=False if arguments.quiet else None,
            **options,
        )
    model = xpad.load_model(arguments.output, storage_options=options.get("storage_options"))
    _report(out, model, arguments.prefix, arguments.output)


def _require_alone(arguments: argparse.Namespace, options: Mapping[str, Any]) -> None:
    """Refuse what would change settings that are given as a file."""
    beside = [_option(name) for name in options if name in table()]
    beside += ["--preset"] if arguments.preset != DEFAULT_PRESET else []
    if beside:
        raise OptionError(
            f"--settings is taken as it is, and {', '.join(beside)} cannot change it; leave out one of "
            "them, or change the file"
        )


def run_predict(arguments: argparse.Namespace) -> None:
    """Label with a model and write."""
    import xpad

    Place.of(arguments.output).require_apart([*arguments.files, arguments.model])
    options = getattr(arguments, "set_storage_options", None)
    model = xpad.load_model(arguments.model, storage_options=options)
    with _scheduler(arguments.scheduler):
        out = xpad.predict_to_zarr(
            _opened(arguments),
            model,
            arguments.output,
            arguments.variable,
            prefix=arguments.prefix,
            keep_flux=arguments.keep_flux,
            overwrite=arguments.overwrite,
            progress=False if arguments.quiet else None,
            storage_options=options,
        )
    _report(out, model, arguments.prefix, arguments.output)


@contextmanager
def _scheduler(address: str | None) -> Iterator[None]:
    """Compute on the dask.distributed cluster at this address, where one is given."""
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as err:
        raise OptionError(
            "--scheduler needs dask.distributed, which is not installed: pip install distributed"
        ) from err
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**where)
    except (OSError, ValueError) as err:
        raise OptionError(f"no dask scheduler answers at {address} ({err})") from err
    with client:
        yield


def run_plot(arguments: argparse.Namespace) -> None:
    """Draw every picture that a result allows."""
    import xarray as xr

    from xpad.errors import ReaderError
    from xpad.plot.save import draw, use_files_only
    from xpad.readers import open_dataset
    from xpad.roles.ours import results

    place = Place.of(arguments.store)
    if place.local is not None and not place.local.exists():
        raise ReaderError(
            f"{place.url} does not exist; xpad cluster FILE… -o {place.url} would write it"
        )
    out = open_dataset(place.url)
    assert isinstance(out, xr.Dataset)
    use_files_only()
    folder = Path(arguments.output)
    found = results(out)
    prefix = arguments.prefix or ("pad" if len(found) != 1 else found[0])
    for path in draw(out, folder, prefix, arguments.format, arguments.overwrite):
        print(path)


def run_missions(arguments: argparse.Namespace) -> None:
    """List the products of the missions table."""
    from xpad.roles import missions

    words = [word.lower() for word in arguments.words]
    rows = [row for row in missions.products() if all(w in str(vars(row)).lower() for w in words)]
    if not rows:
        raise OptionError(
            f"no product has {' and '.join(arguments.words)} in its row: xpad missions"
        )
    print(missions.listed(rows))


def run_demo(arguments: argparse.Namespace) -> None:
    """Simulate a mission, cluster it, draw the pictures."""
    from xpad.demo import demo
    from xpad.plot.save import use_files_only

    use_files_only()
    demo(
        Path(arguments.output),
        days=arguments.days,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
        progress=False if arguments.quiet else None,
    )


def _report(out: xr.Dataset, model: Model, prefix: str, target: str) -> None:
    from xpad.pads.quality import FLAGS
    from xpad.results.read import input_of

    labels, flags = out[f"{prefix}_label"].values.ravel(), out[f"{prefix}_flag"].values.ravel()
    labelled = int((labels >= 0).sum())
    taken = input_of(out, prefix)["variable"]
    print(f"{labelled:,} of {labels.size:,} records of {taken} labelled, k = {model.k}")
    for flag, name in enumerate(FLAGS):
        number = int((flags == flag).sum())
        if flag and number:
            print(f"    -1  {number:,} {name.replace('_', ' ')}")
    for number in range(model.k):
        count = int((labels == number).sum())
        print(f"    {number:>2}  {count:,} ({count / max(labelled, 1):.1%})")
    print(f"written to {target}")


def _opened(arguments: argparse.Namespace) -> xr.Dataset:
    from xpad.readers import open_dataset

    files = arguments.files
    return open_dataset(files[0] if len(files) == 1 else files, on_error=arguments.on_error)


def console() -> None:
    """Run the command line and end the process with its exit code.

    After Ctrl-C it ends at once: a thread that was interrupted while it was being started is
    never told to stop, and the interpreter would wait for it for ever.
    """
    code = main()
    if code == EXIT_INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    console()
