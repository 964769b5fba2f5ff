"""Whether explanations are worth anything: tests of methods on a network, not of single maps."""
