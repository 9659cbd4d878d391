output "cluster_spec" {
  description = "The cluster: version, nodes, namespaces, and where it is once it is."
  value       = local.cluster_spec
}

output "cluster_spec_versioned" {
  description = "The same with the version of its shape."
  value       = merge(local.cluster_spec, { contract_version = local.contract_version })
}
