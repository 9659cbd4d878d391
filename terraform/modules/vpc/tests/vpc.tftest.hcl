variables {
  name        = "chartly"
  environment = "prod"
  cidr        = "10.20.0.0/16"
  zones       = ["a", "b", "c"]
}

run "H113_ranges_do_not_overlap_and_lie_inside" {
  command = plan
  assert {
    condition     = output.vpc_spec.subnets[*].private_cidr == ["10.20.0.0/19", "10.20.32.0/19", "10.20.64.0/19"]
    error_message = "private ranges"
  }
  assert {
    condition     = output.vpc_spec.subnets[*].public_cidr == ["10.20.128.0/20", "10.20.144.0/20", "10.20.160.0/20"]
    error_message = "public ranges"
  }
}

run "H118_the_versioned_spec_is_the_spec_with_a_version" {
  command = plan
  assert {
    condition     = output.vpc_spec_versioned.contract_version == "1.0.0"
    error_message = "version"
  }
  assert {
    condition     = jsonencode({ for k, v in output.vpc_spec_versioned : k => v if k != "contract_version" }) == jsonencode(output.vpc_spec)
    error_message = "the two differ"
  }
}

run "H119_ids_are_open_until_an_overlay_fills_them" {
  command = plan
  assert {
    condition     = output.vpc_spec.network_id == null && length(output.vpc_spec.private_subnet_ids) == 0
    error_message = "placeholders"
  }
}

run "H120_an_overlay_fills_them" {
  command = plan
  variables {
    implementation = { network_id = "n-1", private_subnet_ids = ["p-1", "p-2", "p-3"] }
  }
  assert {
    condition     = output.vpc_spec.network_id == "n-1" && output.vpc_spec.private_subnet_ids[2] == "p-3"
    error_message = "ids"
  }
}

run "H117_the_smallest_range" {
  command = plan
  variables {
    cidr  = "192.168.7.0/24"
    zones = ["a", "b", "c", "d"]
  }
  assert {
    condition     = output.vpc_spec.subnets[3].public_cidr == "192.168.7.176/28"
    error_message = "the last public range"
  }
}

run "H117_too_small_a_range_is_refused" {
  command = plan
  variables { cidr = "10.0.0.0/25" }
  expect_failures = [var.cidr]
}

run "H117_too_large_a_range_is_refused" {
  command = plan
  variables { cidr = "10.0.0.0/15" }
  expect_failures = [var.cidr]
}

run "H117_a_public_range_is_refused" {
  command = plan
  variables { cidr = "8.8.0.0/16" }
  expect_failures = [var.cidr]
}

run "H117_an_address_inside_its_range_is_refused" {
  command = plan
  variables { cidr = "10.20.1.0/16" }
  expect_failures = [var.cidr]
}

run "H117_prod_in_one_zone_is_refused" {
  command = plan
  variables { zones = ["a"] }
  expect_failures = [var.zones]
}

run "H117_a_zone_twice_is_refused" {
  command = plan
  variables { zones = ["a", "a"] }
  expect_failures = [var.zones]
}

run "H117_an_unknown_environment_is_refused" {
  command = plan
  variables { environment = "production" }
  expect_failures = [var.environment]
}
