variable "name" {
  description = "Name of the installation, in lower case; it begins the names of all that belongs to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name: 3 to 32 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment: dev, staging or prod."
  }
}

variable "cidr" {
  description = "Private range of the network, /16 to /24."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "cidr: an IPv4 range such as 10.20.0.0/16."
  }

  validation {
    condition     = can(cidrnetmask(var.cidr)) ? cidrhost(var.cidr, 0) == split("/", var.cidr)[0] : false
    error_message = "cidr: the address must be the first of its range."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "cidr: /16 to /24."
  }

  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.cidr))
    error_message = "cidr: a private range (10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)."
  }
}

variable "zones" {
  description = "Zones over which the network is spread, 1 to 4, in the order of their ranges."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 4 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones: 1 to 4, each once."
  }

  validation {
    condition     = var.environment != "prod" || length(var.zones) >= 2
    error_message = "zones: prod needs at least two."
  }
}

variable "implementation" {
  description = "Ids of the network and its subnets, in the order of the zones. Nothing until an overlay of a provider fills it."
  type = object({
    network_id         = optional(string)
    private_subnet_ids = optional(list(string), [])
    public_subnet_ids  = optional(list(string), [])
  })
  default = {}
}
