"""Decisions about whether and when an endpoint may be used: circuit breaker and admission to slots."""
