"""What xpad shows its users: each name once, found, told in full, and never hidden."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import xarray as xr

import xpad
from xpad.accessor import PadAccessor
from xpad.methods import Method
from xpad.plot import PadPlots

STUB = ast.parse(Path(xpad.__file__).with_suffix(".pyi").read_text())
HOMES = {
    alias.name: f"xpad.{line.module}" if line.module else "xpad"
    for line in STUB.body
    if isinstance(line, ast.ImportFrom)
    for alias in line.names
}
FUNCTIONS = {n: f for n in xpad.__all__ if inspect.isfunction(f := getattr(xpad, n))}
PICTURES = {n.removeprefix("plot_"): getattr(xpad.plot, n) for n in xpad.plot.__all__ if "_" in n}
METHODS = [
    *((PadAccessor, n, FUNCTIONS[n]) for n, m in vars(PadAccessor).items() if isinstance(m, Method)),
    *((PadPlots, n, PICTURES[n]) for n, m in vars(PadPlots).items() if isinstance(m, Method)),
]  # fmt: skip
of_every_method = pytest.mark.parametrize(("owner", "name", "function"), METHODS)


def test_what_is_listed_of_pictures_is_for_users():
    assert dir(xpad.plot) == sorted(xpad.plot.__all__)


def test_the_command_line_is_run_as_a_module():
    run = [sys.executable, "-m", "xpad", "--version"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == f"xpad {xpad.__version__}\n"


def parameters(function):
    """Name, kind and default of each parameter but the first."""
    found = list(inspect.signature(function).parameters.values())[1:]
    return [(p.name, p.kind, p.default, p.annotation) for p in found]


def takes_a_dataset(function):
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and "xr.Dataset" in str(first.annotation)


def section(docstring, title):
    found = re.search(rf"(?ms)^{title}\n-+\n(.*?)\n*(?=^\S[^\n]*\n---|\Z)", docstring or "")
    return found and found[1]


def documented(docstring):
    """The names that a docstring's section of parameters explains."""
    headings = re.findall(r"(?m)^\S.*$", section(docstring, "Parameters") or "")
    names = [h.partition(" : ")[0].split(", ") for h in headings]
    return sorted(name.lstrip("*") for group in names for name in group)


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- names ---------------------------------------------------------------------------------------


def test_each_public_name_is_what_its_module_defines():
    assert sorted(HOMES) == sorted(xpad.__all__)
    for name, home in HOMES.items():
        found = getattr(xpad, name)
        if inspect.isfunction(found) or inspect.isclass(found):
            assert found is getattr(import_module(home), name)
            assert found.__name__ == name
            assert f"{found.__module__}.".startswith(f"{home}.")  # itself, or the face of it
        else:
            assert found is (xpad.plot if name == "plot" else xpad.settings.PRESETS)


def test_only_what_is_public_is_listed():
    code = (
        "import pkgutil, xpad; from importlib import import_module;"
        "found = pkgutil.walk_packages(xpad.__path__, 'xpad.');"
        "[import_module(m.name) for m in found]; print(*dir(xpad))"
    )
    assert run(code).split() == sorted([*HOMES, "__version__"])


def test_no_module_hides_a_public_function():
    for module in pkgutil.walk_packages(xpad.__path__, "xpad."):
        import_module(module.name)
    for name in xpad.__all__:
        if name not in ("plot", "PRESETS"):
            assert callable(getattr(xpad, name)), name
    assert callable(xpad.plot.plot_catalogue)
    assert {m.name for m in pkgutil.iter_modules(xpad.__path__)} & set(xpad.__all__) == {"plot"}


def test_an_unknown_name_is_named():
    with pytest.raises(AttributeError, match="nonsense"):
        xpad.nonsense  # noqa: B018  the access itself is what is tested
    assert re.match(r"\d+\.\d+\.\d+", xpad.__version__)
    assert "__version__" not in vars(xpad)


# --- functions and methods -----------------------------------------------------------------------


def test_every_function_of_a_dataset_is_a_method_and_the_other_way_round():
    methods = {n for n in vars(PadAccessor) if not n.startswith("_")}
    of_data = {name for name, function in FUNCTIONS.items() if takes_a_dataset(function)}
    assert methods - {"plot"} == of_data
    assert {n for n in vars(PadPlots) if not n.startswith("_")} == set(PICTURES)
    assert len(METHODS) == len(of_data) - 1 + len(PICTURES)  # flux is a property


@of_every_method
def test_a_method_takes_and_says_what_its_function_does(owner, name, function):
    method = getattr(owner(xr.Dataset(), *[None] * (owner is PadAccessor)), name)
    assert inspect.ismethod(method)
    assert (method.__name__, method.__qualname__) == (name, f"{owner.__name__}.{name}")
    assert method.__func__ is getattr(owner, name)
    assert parameters(getattr(owner, name)) == parameters(function)
    assert parameters(function) == [
        (p.name, p.kind, p.default, p.annotation)
        for p in inspect.signature(method).parameters.values()
    ]
    ours, theirs = inspect.getdoc(method), inspect.getdoc(function)
    first = next(iter(inspect.signature(function).parameters))
    assert documented(ours) == sorted(set(documented(theirs)) - {first})
    for title in ("Returns", "Raises", "Notes", "References", "Examples"):
        assert section(ours, title) == section(theirs, title)
    assert ours.splitlines()[0] == theirs.splitlines()[0]
    assert f"{name}(…)`` is ``xpad." in ours


def test_the_flux_of_the_accessor_says_what_its_function_does():
    ours, theirs = inspect.getdoc(PadAccessor.flux), inspect.getdoc(xpad.flux)
    assert all(
        p.default is not p.empty for p in [*inspect.signature(xpad.flux).parameters.values()][1:]
    )
    for title in ("Returns", "Raises"):
        assert section(ours, title) == section(theirs, title)


@pytest.mark.parametrize("function", [*FUNCTIONS.values(), *PICTURES.values()])
def test_every_public_function_is_told_in_full(function):
    docstring = inspect.getdoc(function)
    assert documented(docstring) == sorted(inspect.signature(function).parameters)
    called = rf"xpad\.(plot\.)?{function.__name__}\(|\w\.pad\.{function.__name__}\("
    assert re.search(called, section(docstring, "Examples"))  # as users call it


def test_the_overloads_that_mypy_reads_are_those_of_the_function():
    def overloads(module, name):
        tree = ast.parse(Path(module.__file__).read_text())
        found = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name == name
            and any(ast.unparse(d) == "overload" for d in node.decorator_list)
        ]  # fmt: skip
        for node in found:
            del node.args.args[0]
        return [(ast.unparse(node.args), ast.unparse(node.returns)) for node in found]

    theirs = overloads(import_module(xpad.cluster.__module__), "cluster")
    assert overloads(import_module("xpad.accessor"), "cluster") == theirs
    assert len(theirs) == 2


def test_arguments_arrive():
    def taken(obj, *args, **options):
        return obj, args, options

    class Accessor:
        _form = ""
        method = Method(lambda: taken)

        def __init__(self, obj):
            self._obj = obj

    assert Accessor(1).method(2, self=3, x=4) == (1, (2,), {"self": 3, "x": 4})


def test_a_method_without_a_docstring_has_none():
    class Accessor:
        _form = ""
        method = Method(lambda: lambda obj: obj)

    assert Accessor.method.__doc__ is None


def test_nothing_heavy_is_loaded_for_a_method_that_nobody_asks_for():
    code = (
        "import sys, xarray as xr, xpad; from xpad.accessor import PadAccessor;"
        "dir(PadAccessor); ds = xr.Dataset(); dir(ds.pad); ds.pad;"
        "print('xpad.results.cluster' in sys.modules);"
        "help(ds.pad.cluster); print('xpad.results.cluster' in sys.modules)"
    )
    first, *_, last = run(code).split()
    assert (first, last) == ("False", "True")


@pytest.mark.parametrize("module", ["xpad.accessor", "xpad.plot"])
def test_examples_of_methods_are_not_run_again(module):
    from doctest import DocTestFinder

    found = DocTestFinder().find(import_module(module))
    assert {test.name for test in found if test.examples} <= {"xpad.plot.PadPlots"}
