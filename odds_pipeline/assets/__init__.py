"""The software-defined assets: one file per step. Each step calls one function of the layer below."""
