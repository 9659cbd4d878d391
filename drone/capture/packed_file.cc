#include "drone/capture/packed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::drone {
namespace {

constexpr int kLevel = 1;
// Larger ones pack little better, and take more memory on both sides.
constexpr int kWindowLog = 19;
constexpr size_t kPieceBytes = size_t{256} << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<PackedFile>> PackedFile::Create(std::string path, int64_t max_bytes) {
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC));
  return std::unique_ptr<PackedFile>(new PackedFile(std::move(path), std::move(file), max_bytes));
}

PackedFile::PackedFile(std::string path, FileDescriptor file, int64_t max_bytes)
    : path_(std::move(path)),
      file_(std::move(file)),
      max_bytes_(max_bytes),
      packer_(ZSTD_createCCtx()),
      out_(ZSTD_CStreamOutSize(), '\0') {
  if (packer_ == nullptr) return;
  ZSTD_CCtx_setParameter(packer_.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(packer_.get(), ZSTD_c_windowLog, kWindowLog);
  ZSTD_CCtx_setParameter(packer_.get(), ZSTD_c_checksumFlag, 1);
}

PackedFile::~PackedFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

absl::Status PackedFile::Pack(absl::string_view piece, ZSTD_EndDirective directive) {
  if (packer_ == nullptr) return absl::ResourceExhaustedError("no memory to pack a payload");
  ZSTD_inBuffer in{piece.data(), piece.size(), 0};
  while (true) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const size_t left = ZSTD_compressStream2(packer_.get(), &out, &in, directive);
    if (ZSTD_isError(left) != 0) return absl::InternalError(absl::StrCat("zstd: ", ZSTD_getErrorName(left)));
    if (bytes_ + static_cast<int64_t>(out.pos) > max_bytes_) {
      return Error(absl::StatusCode::kResourceExhausted, "CAPTURE_TOO_LARGE",
                   absl::StrCat("the payload takes more than the ", max_bytes_, " bytes that may be kept"));
    }
    RETURN_IF_ERROR(WriteAt(file_.get(), bytes_, {absl::string_view(out_.data(), out.pos)}, path_));
    bytes_ += static_cast<int64_t>(out.pos);
    const bool done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
    if (done) return absl::OkStatus();
  }
}

absl::Status PackedFile::Add(absl::string_view piece) { return Pack(piece, ZSTD_e_continue); }

absl::Status PackedFile::Finish() {
  RETURN_IF_ERROR(Pack("", ZSTD_e_end));
  return SyncData(file_.get(), path_);
}

absl::Status PackedFile::KeepAs(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return ErrnoError(errno, "rename", path_);
  path_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Body>> PackedBody::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    return Error(absl::StatusCode::kNotFound, "CAPTURE_REMOVED", absl::StrCat(path, " is not there"));
  }
  if (fd < 0) return ErrnoError(errno, "open", path);
  FileDescriptor file(fd);
  ASSIGN_OR_RETURN(std::unique_ptr<net::Unpacker> unpacker, net::Unpacker::Create("zstd"));
  return std::unique_ptr<Body>(new PackedBody(path, std::move(file), std::move(unpacker)));
}

PackedBody::PackedBody(std::string path, FileDescriptor file, std::unique_ptr<net::Unpacker> unpacker)
    : path_(std::move(path)), file_(std::move(file)), unpacker_(std::move(unpacker)), piece_(kPieceBytes, '\0') {}

absl::Status PackedBody::Damaged(absl::string_view why) const {
  return Error(absl::StatusCode::kDataLoss, "CAPTURE_DAMAGED", absl::StrCat(path_, " is damaged: ", why));
}

absl::StatusOr<absl::string_view> PackedBody::Read() {
  while (true) {
    absl::StatusOr<size_t> size = unpacker_->Unpack(input_, piece_.data(), piece_.size());
    if (!size.ok()) return Damaged("it cannot be unpacked");
    if (*size > 0) return absl::string_view(piece_.data(), *size);
    ASSIGN_OR_RETURN(packed_, ReadAt(file_.get(), offset_, kPieceBytes, path_));
    if (packed_.empty() && !unpacker_->complete()) return Damaged("it ends in the middle");
    if (packed_.empty()) return absl::string_view();
    offset_ += static_cast<int64_t>(packed_.size());
    input_ = packed_;
  }
}

}  // namespace chartly::drone
