terraform {
  # A contract: no provider, so that any can stand behind it.
  required_version = ">= 1.6"
}

# The shape of what this module promises. A removed or renamed output, or one of another type, is a new major version.
locals {
  contract_version = "1.0.0"
}
