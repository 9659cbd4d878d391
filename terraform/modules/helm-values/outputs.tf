output "helm_values" {
  description = "Values for the chart, to be laid over those of the environment: terraform output -json helm_values."
  value       = local.values
}

output "helm_values_versioned" {
  description = "The same with the version of its shape."
  value       = { values = local.values, contract_version = local.contract_version }
}
