#include "server/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace tandem {

std::array<unsigned char, 20> sha1(std::string_view bytes) {
  // Looked up once: SHA1() does it each time, which takes longer than a short text's digest.
  static const EVP_MD* const kSha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  std::array<unsigned char, 20> out;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, kSha1, nullptr);
  return out;
}

std::array<unsigned char, 32> sha256(std::string_view bytes) {
  std::array<unsigned char, 32> out;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
  return out;
}

std::string sha1_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : sha1(bytes)) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool equals_constant_time(std::string_view a, std::string_view b) {
  // Hash first, so neither the length nor the position of a difference shows.
  const auto left = sha256(a), right = sha256(b);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace tandem
