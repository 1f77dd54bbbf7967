"""The mail that both sides send: a small payload for queue benches, a 9 kB template for delivery."""

from __future__ import annotations

PARAGRAPH = (
    "Dear {{ name }}, your order {{ number }} has left our house on its way to you. It was packed by hand this morning "
    "and should be with you within three working days; you can follow it at https://shop.example/orders/{{ number }}."
)
SUBJECT = "Your order {{ number }} is on its way"
TEXT = "\n\n".join([PARAGRAPH] * 22)
HTML = f"<html><body>{''.join(f'<p>{PARAGRAPH}</p>' for _ in range(22))}</body></html>"
"""With TEXT about 9 kB of MIME, as a shop's order mail."""
SENDER = "shop@shop.example"


def payload(number: int) -> dict[str, str]:
    """About 300 bytes of one person's literal mail."""
    text = (
        f"Hello person {number},\n\nyour sign-in code is {number:06}. It is valid for ten minutes.\n"
        "If you did not ask for it, you need do nothing; nobody can use it without your password.\n\n"
        "Kind regards,\nyour shop\n"
    )
    return {"to": f"person{number}@mail.example", "subject": f"Your sign-in code is {number:06}", "text": text}


def params(number: int) -> dict[str, str]:
    """Template parameters of one person."""
    return {"name": f"Person {number}", "number": str(number)}
