variables {
  name        = "chartly"
  environment = "prod"
  storage_gib = 100
}

run "H115_prod_is_available_encrypted_and_not_public" {
  command = plan
  assert {
    condition     = output.db_spec.highly_available && output.db_spec.encrypted && !output.db_spec.public
    error_message = "invariants"
  }
}

run "H117_the_smallest_disk" {
  command = plan
  variables {
    storage_gib = 20
    environment = "dev"
  }
  assert {
    condition     = output.db_spec.storage_gib == 20 && !output.db_spec.highly_available
    error_message = "size"
  }
}

run "H118_the_versioned_spec_is_the_spec_with_a_version" {
  command = plan
  assert {
    condition     = output.db_spec_versioned.contract_version == "1.0.0"
    error_message = "version"
  }
  assert {
    condition     = jsonencode({ for k, v in output.db_spec_versioned : k => v if k != "contract_version" }) == jsonencode(output.db_spec)
    error_message = "the two differ"
  }
}

run "H119_where_it_is_stays_open" {
  command = plan
  assert {
    condition     = output.db_spec.host == null && output.db_spec.instance_id == null
    error_message = "placeholders"
  }
}

run "H120_an_overlay_fills_it" {
  command = plan
  variables {
    implementation = { host = "db.internal", port = 5432 }
  }
  assert {
    condition     = output.db_spec.host == "db.internal" && output.db_spec.port == 5432
    error_message = "ids"
  }
}

run "H117_too_small_a_disk_is_refused" {
  command = plan
  variables {
    storage_gib = 19
  }
  expect_failures = [var.storage_gib]
}

run "H117_a_broken_size_is_refused" {
  command = plan
  variables {
    storage_gib = 20.5
  }
  expect_failures = [var.storage_gib]
}

run "H117_another_engine_is_refused" {
  command = plan
  variables {
    engine = "mysql"
  }
  expect_failures = [var.engine]
}

run "H117_too_short_a_retention_in_prod_is_refused" {
  command = plan
  variables {
    backup_retention_days = 6
  }
  expect_failures = [var.backup_retention_days]
}

run "H117_an_old_version_is_refused" {
  command = plan
  variables {
    engine_version = "13"
  }
  expect_failures = [var.engine_version]
}

run "H117_a_bad_name_is_refused" {
  command = plan
  variables {
    name = "Chartly_1"
  }
  expect_failures = [var.name]
}
