# How a provider is laid over the contracts. Here terraform_data, which is built in, stands where its resources would be:
# it gets a spec, and what it gives back goes into `implementation`.
terraform {
  required_version = ">= 1.6"
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string
  default     = "prod"
}

locals {
  name = "chartly"
}

module "network_contract" {
  source      = "../../modules/vpc"
  name        = local.name
  environment = var.environment
  cidr        = "10.20.0.0/16"
  zones       = ["a", "b"]
}

resource "terraform_data" "network" {
  input = "network-of-${module.network_contract.vpc_spec.name}"
}

module "network" {
  source      = "../../modules/vpc"
  name        = local.name
  environment = var.environment
  cidr        = "10.20.0.0/16"
  zones       = ["a", "b"]
  implementation = {
    network_id         = terraform_data.network.output
    private_subnet_ids = [for subnet in module.network_contract.vpc_spec.subnets : "private-${subnet.zone}"]
    public_subnet_ids  = [for subnet in module.network_contract.vpc_spec.subnets : "public-${subnet.zone}"]
  }
}

resource "terraform_data" "cluster" {
  input = { id = "cluster-in-${terraform_data.network.output}", storage_class = "fast-disk" }
}

module "cluster" {
  source             = "../../modules/eks"
  name               = local.name
  environment        = var.environment
  kubernetes_version = "1.32"
  node_pools         = { general = { cores = 4, memory_gib = 16, min_nodes = 3, max_nodes = 9 } }
  implementation = {
    cluster_id    = terraform_data.cluster.output.id
    storage_class = terraform_data.cluster.output.storage_class
  }
}

module "gateway" {
  source         = "../../modules/gateway"
  name           = local.name
  environment    = var.environment
  host           = "chartly.example.org"
  tls_secret     = "chartly-tls"
  implementation = { ingress_class = "edge" }
}

module "helm_values" {
  source       = "../../modules/helm-values"
  cluster_spec = module.cluster.cluster_spec
  gateway_spec = module.gateway.gateway_spec
}

output "contract" {
  description = "The network as the contract has it, before anything stands behind it."
  value       = module.network_contract.vpc_spec
}

output "network" {
  description = "The network as it is."
  value       = module.network.vpc_spec
}

output "helm_values" {
  description = "Values for the chart."
  value       = module.helm_values.helm_values
}
