"""Scoring restorers: a judge's answers, the benchmark's scores, honest statistics, and rankings by people."""
