"""Measurements that are not cells: figures, sweeps, dynamics, stacks, one update for many queries."""
