"""HTML pages that are one file each, and the pieces that the gallery and every report are made of."""
