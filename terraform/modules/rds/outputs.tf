output "db_spec" {
  description = "The database: what it must be, and where it is once it is."
  value       = local.db_spec
}

output "db_spec_versioned" {
  description = "The same with the version of its shape."
  value       = merge(local.db_spec, { contract_version = local.contract_version })
}
