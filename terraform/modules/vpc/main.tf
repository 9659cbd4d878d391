locals {
  # Half of the range for private subnets, a quarter for public ones, a quarter kept free.
  subnets = [
    for i, zone in var.zones : {
      zone         = zone
      private_cidr = cidrsubnet(var.cidr, 3, i)
      public_cidr  = cidrsubnet(var.cidr, 4, 8 + i)
    }
  ]

  vpc_spec = {
    name               = "${var.name}-${var.environment}"
    environment        = var.environment
    cidr               = var.cidr
    subnets            = local.subnets
    network_id         = var.implementation.network_id
    private_subnet_ids = var.implementation.private_subnet_ids
    public_subnet_ids  = var.implementation.public_subnet_ids
  }
}
