output "gateway_spec" {
  description = "The way in: host, certificate by name, and routes."
  value       = local.gateway_spec
}

output "gateway_spec_versioned" {
  description = "The same with the version of its shape."
  value       = merge(local.gateway_spec, { contract_version = local.contract_version })
}
