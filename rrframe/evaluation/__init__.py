"""Scoring restorers: asking a judge, the benchmark's scores, honest statistics, and rankings by people."""
