"""How a map came to be: enough to compute it again, bit for bit."""

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """Digests and names of everything that a map depends on. Digests are SHA-256 in hexadecimal."""

    pixel_digest: str
    preprocessing_digest: str
    model_digest: str
    model_name: str
    model_version: str
    method: str
    method_variant: str
    target_layer: str
    target: str  # what was differentiated: "logit"
    library_version: str
    torch_version: str
    precision: str
    device: str
    created: str  # ISO 8601, UTC
    seconds: float = 0.0  # wall-clock time that prediction and maps took together
    runtime: str = "eager"  # of the part before the target layer, with its version: "openvino 2026.4.1"
    runtime_reason: str = ""  # why it was chosen, where that was left to camlucida

    @property
    def cache_key(self) -> str:
        """SHA-256 of what determines the map: the same key means the same map."""
        determining = {
            "pixels": self.pixel_digest,
            "preprocessing": self.preprocessing_digest,
            "model": self.model_digest,
            "method": self.method,
            "variant": self.method_variant,
            "layer": self.target_layer,
            "target": self.target,
            "library": self.library_version,
        }
        if self.runtime != "eager":
            determining |= {"runtime": self.runtime, "precision": self.precision}
        return hashlib.sha256(
            json.dumps(determining, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
