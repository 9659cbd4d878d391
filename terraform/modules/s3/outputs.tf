output "bucket_spec" {
  description = "The object storage: buckets by purpose, and their ids once they have any."
  value       = local.bucket_spec
}

output "bucket_spec_versioned" {
  description = "The same with the version of its shape."
  value       = merge(local.bucket_spec, { contract_version = local.contract_version })
}
