"""Loads a Python program of this folder that has no `.py` in its name."""

import importlib.machinery
import importlib.util
import sys


def load(path):
    """The program as a module; its `main` does not run."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(path.name.replace("-", "_"), str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
