output "redis_spec" {
  description = "The cache: what it must be, and where it is once it is."
  value       = local.redis_spec
}

output "redis_spec_versioned" {
  description = "The same with the version of its shape."
  value       = merge(local.redis_spec, { contract_version = local.contract_version })
}
