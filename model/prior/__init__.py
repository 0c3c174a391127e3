"""Densities over codes, which random cars are drawn from: normal, mixture and flow behind one interface."""
