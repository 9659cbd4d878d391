output "vpc_spec" {
  description = "The network: ranges by zone, and ids once there are any."
  value       = local.vpc_spec
}

output "vpc_spec_versioned" {
  description = "The same with the version of its shape."
  value       = merge(local.vpc_spec, { contract_version = local.contract_version })
}
