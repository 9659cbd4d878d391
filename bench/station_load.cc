#include "bench/station_load.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/bench_report.h"
#include "common/batch/batch.h"

namespace chartly::bench {

std::string MakeStationBatch(uint64_t stream, uint64_t number) {
  BatchHeader origin;
  origin.set_tenant("default");
  origin.set_profile_id("bench");
  origin.set_run_id(absl::StrCat("run-", stream));
  origin.set_drone_id(absl::StrCat("drone-", stream));
  origin.set_source_uri("https://example.test/readings");
  origin.set_observed_us(1760000000000000);
  BatchBuilder builder;
  builder.SetOrigin(origin);
  size_t station = builder.AddColumn(Role::kDim, "station.id");
  size_t region = builder.AddColumn(Role::kDim, "geo.region");
  size_t day = builder.AddColumn(Role::kDim, "time.day");
  size_t hour = builder.AddColumn(Role::kDim, "time.hour");
  size_t value = builder.AddColumn(Role::kMeasure, "value");
  size_t quality = builder.AddColumn(Role::kMeasure, "quality");
  uint64_t noise = 0x9e3779b97f4a7c15 * (stream * 100003 + number + 1);
  for (uint32_t row = 0; row < kStationRows; ++row) {
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    uint32_t index = row / 24 % 400;
    builder.BeginRow(1, row + 1);
    builder.SetText(station, absl::StrCat("station-", stream, "-", index));
    builder.SetText(region, absl::StrCat("region-", index % 17));
    builder.SetInteger(day, static_cast<int64_t>(number));
    builder.SetInteger(hour, row % 24);
    builder.Set(value, Value::Of(Decimal{static_cast<int64_t>(noise % 100000), 2}));
    builder.SetInteger(quality, static_cast<int64_t>(noise >> 40 & 3));
    builder.EndRow();
  }
  absl::StatusOr<std::string> batch = builder.Finish();
  RequireOk(batch.status(), "building a batch");
  return *std::move(batch);
}

}  // namespace chartly::bench
