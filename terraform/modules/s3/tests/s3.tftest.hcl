variables {
  name        = "chartly"
  environment = "prod"
}

run "H117_buckets_are_named_encrypted_and_not_public" {
  command = plan
  assert {
    condition     = output.bucket_spec.buckets[0].name == "chartly-prod-backups" && output.bucket_spec.buckets[0].encrypted && !output.bucket_spec.buckets[0].public
    error_message = "invariants"
  }
}

run "H110_buckets_come_in_a_stable_order" {
  command = plan
  variables {
    buckets = { exports = {}, backups = {} }
  }
  assert {
    condition     = output.bucket_spec.buckets[*].purpose == ["backups", "exports"]
    error_message = "order"
  }
}

run "H118_the_versioned_spec_is_the_spec_with_a_version" {
  command = plan
  assert {
    condition     = output.bucket_spec_versioned.contract_version == "1.0.0"
    error_message = "version"
  }
  assert {
    condition     = jsonencode({ for k, v in output.bucket_spec_versioned : k => v if k != "contract_version" }) == jsonencode(output.bucket_spec)
    error_message = "the two differ"
  }
}

run "H119_where_it_is_stays_open" {
  command = plan
  assert {
    condition     = output.bucket_spec.endpoint == null && output.bucket_spec.buckets[0].id == null
    error_message = "placeholders"
  }
}

run "H120_an_overlay_fills_it" {
  command = plan
  variables {
    implementation = { endpoint = "https://objects.internal", bucket_ids = { backups = "b-1" } }
  }
  assert {
    condition     = output.bucket_spec.buckets[0].id == "b-1"
    error_message = "ids"
  }
}

run "H117_prod_without_versions_is_refused" {
  command = plan
  variables {
    buckets = { backups = { versioned = false } }
  }
  expect_failures = [var.buckets]
}

run "H117_a_negative_age_is_refused" {
  command = plan
  variables {
    buckets = { backups = { expire_days = -1 } }
  }
  expect_failures = [var.buckets]
}

run "H117_no_bucket_is_refused" {
  command = plan
  variables {
    buckets = {}
  }
  expect_failures = [var.buckets]
}

run "H117_a_bad_purpose_is_refused" {
  command = plan
  variables {
    buckets = { Backups = {} }
  }
  expect_failures = [var.buckets]
}
