"""Very many images explained, shard by shard: on this machine or on a cluster, and to be gone on with."""
