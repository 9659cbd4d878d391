// A file of the spool with any content. The checksums are made right, since no input would get past them, and once
// left as they are.
#include <xxhash.h>

#include <filesystem>
#include <fstream>

#include "drone/spool/little_endian.h"
#include "drone/spool/spool.h"
#include "test/fuzz/decode_twice.h"
#include "test/support/temp_dir.h"

namespace chartly {
namespace {

using drone::Record;
using drone::Spool;

void Seal(std::string& bytes, size_t at, size_t size) {
  std::string sum;
  drone::PutFixed64(sum, XXH3_64bits(bytes.data() + at + 8, size - 8));
  bytes.replace(at, 8, sum);
}

// Header and records with the lengths that they claim, as far as these fit.
std::string WithChecksums(absl::string_view input) {
  drone::SegmentHeader header{std::string(drone::kSpoolIdBytes, 'i'), 0, 1};
  std::string bytes = drone::EncodeSegmentHeader(header) + std::string(input);
  size_t at = drone::kSegmentHeaderBytes;
  while (at + drone::kRecordHeaderBytes <= bytes.size()) {
    const char* record = bytes.data() + at;
    size_t size = drone::kRecordHeaderBytes + drone::GetFixed32(record + 8) + static_cast<uint8_t>(record[13]) +
                  drone::GetFixed32(record + 36);
    if (size > bytes.size() - at) break;
    Seal(bytes, at, size);
    at += size;
  }
  return bytes;
}

void CheckRecord(absl::string_view bytes) {
  std::optional<Record> record = drone::DecodeRecord(bytes);
  if (!record) return;
  size_t size = drone::RecordBytes(*record, record->payload.size());
  FUZZ_CHECK(size <= bytes.size());
  // What no field holds is written as zero, so only the length must be the same.
  FUZZ_CHECK(drone::EncodeRecordHeader(*record, record->payload).size() + record->payload.size() == size);
}

void CheckSpool(const std::string& folder) {
  drone::SpoolOptions options;
  options.path = folder;
  options.sync_for_test = [](int) { return 0; };
  absl::StatusOr<std::unique_ptr<Spool>> spool = Spool::Open(options);
  FUZZ_CHECK(spool.ok() || Reason(spool.status()) == "SPOOL_VERSION_UNKNOWN");
  if (!spool.ok()) return;
  int64_t next = 1;
  while (true) {
    absl::StatusOr<std::vector<drone::SpoolEntry>> entries = (*spool)->Read(next, 4096);
    FUZZ_CHECK(entries.ok());
    if (entries->empty()) break;
    FUZZ_CHECK(entries->front().seq >= next);
    next = entries->back().seq + 1;
  }
  v1::RunEnd run;
  run.set_run_id("fuzz");
  bool begun = (*spool)->BeginRun(run).ok();
  // The last number there is cannot be followed by another one.
  if (!begun || next > (int64_t{1} << 62)) return;
  FUZZ_CHECK((*spool)->Append("fuzz", "batch", 1).value() >= next);
}

}  // namespace

FUZZ_TARGET(spool_segment) {
  size_t choice = fuzz::TakeChoice(input, 3);
  std::string bytes = choice == 0 ? std::string(input) : WithChecksums(input);
  drone::DecodeSegmentHeader(bytes);
  FUZZ_CHECK(drone::DecodeWatermark(bytes).ok() == (bytes.size() == 40 || bytes.size() == 72));
  CheckRecord(absl::string_view(bytes).substr(std::min(bytes.size(), drone::kSegmentHeaderBytes)));
  testing::TempDir dir(std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path());
  std::ofstream(dir.File(drone::SegmentName(1)), std::ios::binary) << bytes;
  // A second one, so that damage is not always at the end.
  if (choice == 2) std::ofstream(dir.File(drone::SegmentName(1000)), std::ios::binary) << WithChecksums(input);
  CheckSpool(dir.path());
}

}  // namespace chartly
