#include "common/backup/backup_folder.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/backup/restore.h"
#include "common/kv/kv_store.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::backup {
namespace {

using testing::Says;
using testing::TempDir;
namespace fs = std::filesystem;

bool Never() { return false; }

void Overwrite(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// A backup of two parts with one entry each.
BackupManifest MakeBackup(const TempDir& dir, const BackupFolder& folder, const std::string& id) {
  BackupManifest manifest;
  manifest.set_id(id);
  manifest.set_version("0.1.0");
  for (const char* part : {"registry", "aggregator"}) {
    auto store = OpenKvStore(dir.File(absl::StrCat("live-", part)));
    REQUIRE_OK(store);
    KvBatch batch;
    batch.Put("part", part);
    REQUIRE_OK((*store)->Write(batch, true));
    auto copied = (*store)->BackUp(folder.PartFolder(part), Never);
    REQUIRE_OK(copied);
    PartBackup& backup = *manifest.add_parts();
    backup.set_part(part);
    backup.set_number(copied->number);
    for (const KvBackup::File& file : copied->files) {
      BackupFile& added = *backup.add_files();
      added.set_path(file.path);
      added.set_bytes(file.bytes);
    }
    REQUIRE_OK(folder.AddChecksums(backup, {}, Never));
  }
  REQUIRE_OK(folder.Write(manifest));
  return manifest;
}

std::string ValueIn(const std::string& path) {
  auto store = OpenKvStore(path);
  REQUIRE_OK(store);
  auto value = (*store)->Get("part");
  REQUIRE_OK(value);
  return *value;
}

}  // namespace

TEST_CASE("a backup is read as it was written, and restored into a new folder with its keys") {
  TempDir dir;
  const BackupFolder folder(dir.File("backups"));
  CHECK(folder.List()->empty());
  const BackupManifest manifest = MakeBackup(dir, folder, "20260101t000000z");
  CHECK(*folder.List() == std::vector<std::string>{"20260101t000000z"});
  CHECK(folder.Read("20260101t000000z")->parts_size() == 2);
  CHECK(folder.Verify(manifest, Never)->faults.empty());

  fs::create_directories(dir.File("new/tls"));
  fs::create_directories(dir.File("new/lost+found"));  // as at the root of a new disk
  REQUIRE_OK(Restore(folder, {"20260101t000000z"}, {"registry", "aggregator"}, dir.File("new")));
  CHECK(ValueIn(dir.File("new/registry")) == "registry");
  CHECK(ValueIn(dir.File("new/records")) == "aggregator");
  CHECK_OK(CheckRestored(dir.File("new")));
  CHECK(Reason(Restore(folder, {"20260101t000000z"}, {"registry"}, dir.File("new")).status()) ==
        "DATA_FOLDER_NOT_EMPTY");
}

TEST_CASE("what is not there is named, and so are the backups that are") {
  TempDir dir;
  const BackupFolder folder(dir.File("backups"));
  MakeBackup(dir, folder, "20260101t000000z");
  for (const char* id : {"20260102t000000z", "../manifests/20260101t000000z", ""}) {
    const absl::Status absent = Restore(folder, {id}, {"registry"}, dir.File("new")).status();
    CHECK(Reason(absent) == "BACKUP_NOT_FOUND");
    CHECK(Says(absent, "20260101t000000z"));
  }
  CHECK(Says(Restore(folder, {"20260101t000000z"}, {"audit"}, dir.File("new")).status(), "does not hold audit"));
  CHECK_FALSE(fs::exists(dir.File("new")));
}

TEST_CASE("a flipped byte in any file of a backup is found, named and not restored") {
  TempDir dir;
  const BackupFolder folder(dir.File("backups"));
  const BackupManifest manifest = MakeBackup(dir, folder, "20260101t000000z");
  for (const PartBackup& part : manifest.parts()) {
    for (const BackupFile& file : part.files()) {
      INFO(file.path());
      const std::string path = folder.PartFolder(part.part()) + "/" + file.path();
      std::string bytes(static_cast<size_t>(file.bytes()), '\0');
      std::ifstream(path, std::ios::binary).read(bytes.data(), file.bytes());
      std::string damaged = bytes;
      damaged[damaged.size() / 2] ^= 1;
      Overwrite(path, damaged);
      auto checked = folder.Verify(manifest, Never);
      REQUIRE_OK(checked);
      REQUIRE(checked->faults.size() == 1);
      CHECK(checked->faults[0].find(file.path()) != std::string::npos);
      const absl::Status refused =
          Restore(folder, {manifest.id()}, {"registry", "aggregator"}, dir.File("new")).status();
      CHECK(Reason(refused) == "BACKUP_CORRUPT");
      CHECK_FALSE(fs::exists(dir.File("new")));
      fs::remove(path);
      CHECK(folder.Verify(manifest, Never)->faults.size() == 1);
      Overwrite(path, bytes);
    }
  }
  CHECK(folder.Verify(manifest, Never)->faults.empty());
}

TEST_CASE("a manifest that was changed or cut off is refused") {
  TempDir dir;
  const BackupFolder folder(dir.File("backups"));
  MakeBackup(dir, folder, "20260101t000000z");
  const std::string path = dir.File("backups/manifests/20260101t000000z.json");
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  for (size_t cut : {size_t{0}, size_t{10}, text.size() - 1}) {
    Overwrite(path, text.substr(0, cut));
    CHECK(Reason(folder.Read("20260101t000000z").status()) == "BACKUP_CORRUPT");
  }
  std::string changed = text;
  changed[text.find("0.1.0")] = '9';
  Overwrite(path, changed);
  CHECK(Reason(folder.Read("20260101t000000z").status()) == "BACKUP_CORRUPT");
}

TEST_CASE("a copy that was written elsewhere is no backup") {
  TempDir dir;
  const BackupFolder folder(dir.File("backups"));
  PartBackup part;
  part.set_part("registry");
  part.add_files()->set_path("meta/1");
  const absl::Status status = folder.AddChecksums(part, {}, Never);
  CHECK(Reason(status) == "BACKUP_NOT_SHARED");
  CHECK(Says(status, "--backup-dir"));
}

TEST_CASE("a restore that was interrupted is not taken for a data folder") {
  TempDir dir;
  fs::create_directories(dir.File("new/restore.unfinished"));
  CHECK(Reason(CheckRestored(dir.File("new"))) == "RESTORE_INTERRUPTED");
}

}  // namespace chartly::backup
