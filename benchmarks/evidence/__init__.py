"""Evidence of many images, kept small in memory and on disk, so that a network runs once and all after it is swept."""

from benchmarks.evidence.compact import Compact, compact, expand
from benchmarks.evidence.key import Origin, evidence_key
from benchmarks.evidence.store import EvidenceStore

__all__ = ["Compact", "EvidenceStore", "Origin", "compact", "evidence_key", "expand"]
