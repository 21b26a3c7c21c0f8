"""HL7 v2 results, each a message, a patient's record and an order of its own."""

from typing import Final

PATIENTS: Final = 2_000
_ORU: Final = (
    b"MSH|^~\\&|LAB|HOSPITAL|TRABECULA|HOSPITAL|20250303081500+0100||ORU^R01^ORU_R01|M%(n)08d|P|2.5.1\r"
    b"PID|1||%(patient)07d^^^HOSPITAL^MR||MUSTER^MARIA||19930504|F\r"
    b"PV1|1|O|AMB^1^1^HOSPITAL\r"
    b"ORC|RE|P%(n)08d|F%(n)08d\r"
    b"OBR|1|P%(n)08d|F%(n)08d|68438-1^25-hydroxyvitamin D^LN|||20250303070000+0100\r"
    b"OBX|1|NM|68438-1^25-hydroxyvitamin D^LN||%(tens)d.5|nmol/L|50-125|N|||F|||20250303070000+0100\r"
)


def result(number: int) -> bytes:
    """A 25-OH vitamin D of one of 2,000 patients."""
    return _ORU % {b"n": number, b"patient": number * 7_919 % PATIENTS, b"tens": 40 + number % 60}


def block(message: bytes) -> bytes:
    """A message as MLLP sends it."""
    return b"\x0b" + message + b"\x1c\r"
