"""aiplan: plan AI datacenters from tokens to watts to dollars."""

from aiplan._version import __version__

__all__ = ["__version__"]
