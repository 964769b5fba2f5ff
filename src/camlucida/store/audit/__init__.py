"""The audit trail: a hash tree over what happened, signed, searched, exported and drawn again."""
