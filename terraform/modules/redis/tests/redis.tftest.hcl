variables {
  name        = "chartly"
  environment = "prod"
  memory_gib  = 4
}

run "H116_prod_has_a_replica_and_speaks_tls" {
  command = plan
  assert {
    condition     = output.redis_spec.replicas == 1 && output.redis_spec.tls && !output.redis_spec.public
    error_message = "invariants"
  }
}

run "H118_the_versioned_spec_is_the_spec_with_a_version" {
  command = plan
  assert {
    condition     = output.redis_spec_versioned.contract_version == "1.0.0"
    error_message = "version"
  }
  assert {
    condition     = jsonencode({ for k, v in output.redis_spec_versioned : k => v if k != "contract_version" }) == jsonencode(output.redis_spec)
    error_message = "the two differ"
  }
}

run "H119_where_it_is_stays_open" {
  command = plan
  assert {
    condition     = output.redis_spec.host == null && output.redis_spec.cache_id == null
    error_message = "placeholders"
  }
}

run "H120_an_overlay_fills_it" {
  command = plan
  variables {
    implementation = { host = "cache.internal", port = 6379 }
  }
  assert {
    condition     = output.redis_spec.host == "cache.internal" && output.redis_spec.port == 6379
    error_message = "ids"
  }
}

run "H117_no_memory_is_refused" {
  command = plan
  variables {
    memory_gib = 0
  }
  expect_failures = [var.memory_gib]
}

run "H117_too_much_memory_is_refused" {
  command = plan
  variables {
    memory_gib = 513
  }
  expect_failures = [var.memory_gib]
}

run "H117_another_eviction_is_refused" {
  command = plan
  variables {
    eviction = "random"
  }
  expect_failures = [var.eviction]
}
