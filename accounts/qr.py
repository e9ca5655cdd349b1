"""A QR code as the outline of one SVG path: no picture file, no inline style, nothing of a third party."""

from qrcode.constants import ERROR_CORRECT_M  # type: ignore[import-untyped]
from qrcode.main import QRCode  # type: ignore[import-untyped]


def qr_path(text: str) -> dict[str, object]:
    """`size` of the square in modules (quiet zone of 4 included) and `d` of the path that fills the dark ones."""
    code = QRCode(error_correction=ERROR_CORRECT_M, border=4)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, on in enumerate(row) if on)
    return {"size": len(matrix), "d": "".join(dark)}
