#include "array.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "fault.h"

namespace sut {

namespace {

const std::map<std::string, DType> kTypes = {
    {"<f2", DType::f16}, {"<f4", DType::f32}, {"<f8", DType::f64}, {"|i1", DType::i8},
    {"|u1", DType::u8},  {"<i2", DType::i16}, {"<u2", DType::u16}, {"<i4", DType::i32},
    {"<u4", DType::u32}, {"<i8", DType::i64}, {"<u8", DType::u64}, {"|b1", DType::boolean}};

__extension__ using Wide = unsigned __int128;  // sizes from a header may overflow anything less

// A file's bytes in memory, read-only.
struct Mapping {
    const char* data = nullptr;
    size_t size = 0;

    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    explicit Mapping(const std::string& path) {
        const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat facts{};
        if (file < 0 || fstat(file, &facts) != 0 || S_ISDIR(facts.st_mode)) {
            const int reason = file < 0 ? errno : EISDIR;
            if (file >= 0) close(file);
            throw bad_input(path, std::string("cannot be read as .npy: ") + std::strerror(reason));
        }
        size = static_cast<size_t>(facts.st_size);
        void* place = size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
        const int reason = errno;
        close(file);
        if (place == MAP_FAILED)
            throw bad_input(path, std::string("cannot be mapped: ") + std::strerror(reason));
        data = static_cast<const char*>(place);
    }

    ~Mapping() {
        if (data != nullptr) munmap(const_cast<char*>(data), size);
    }
};

Fault broken(const std::string& path, const std::string& cause) {
    return bad_input(path, "cannot be read as .npy: " + cause);
}

// The text between the magic string and the numbers; `start` is where the numbers begin.
std::string header(const std::string& path, const Mapping& file, size_t* start) {
    if (file.size < 12 || std::memcmp(file.data, "\x93NUMPY", 6) != 0) throw broken(path, "no such header");
    const int version = file.data[6];
    if (version < 1 || version > 3)
        throw broken(path, "version " + std::to_string(version) + " is not known");
    const size_t wide = version == 1 ? 2 : 4;
    size_t length = 0;
    for (size_t place = 0; place < wide; ++place)
        length |= static_cast<size_t>(static_cast<unsigned char>(file.data[8 + place])) << (8 * place);
    *start = 8 + wide + length;
    if (*start > file.size) throw broken(path, "its header is cut off");
    return std::string(file.data + 8 + wide, length);
}

// What stands between `start` and `end` in a header, such as the shape; a Fault where it is not there.
std::string between(const std::string& path, const std::string& text, const std::string& start, char end) {
    const size_t from = text.find(start);
    const size_t to = from == std::string::npos ? from : text.find(end, from + start.size());
    if (to == std::string::npos) throw broken(path, "its header has no " + start);
    return text.substr(from + start.size(), to - from - start.size());
}

Shape shape_of(const std::string& path, const std::string& text) {
    constexpr int64_t kMost = 1'000'000'000'000;
    Shape shape;
    bool digits = false;
    for (const char letter : between(path, text, "'shape': (", ')')) {
        const bool digit = letter >= '0' && letter <= '9';
        if (digit && !digits) shape.push_back(0);
        if (digit) shape.back() = 10 * shape.back() + (letter - '0');
        if (!digit && letter != ',' && letter != ' ') throw broken(path, "its shape is not one");
        if (!shape.empty() && shape.back() > kMost) throw broken(path, "its shape is impossible");
        digits = digit;
    }
    return shape;
}

DType type_of(const std::string& path, const std::string& text) {
    const std::string name = between(path, text, "'descr': '", '\'');
    const auto known = kTypes.find(name);
    if (known == kTypes.end()) throw broken(path, "numbers of type '" + name + "' are not supported");
    return known->second;
}

}  // namespace

Array read_npy(const std::string& path) {
    const auto file = std::make_shared<Mapping>(path);
    size_t start = 0;
    const std::string text = header(path, *file, &start);
    if (text.find("'fortran_order': False") == std::string::npos) throw broken(path, "it is not in C order");
    Array array;
    array.type = type_of(path, text);
    array.shape = shape_of(path, text);
    Wide bytes = size_of(array.type);
    for (const auto size : array.shape) bytes *= static_cast<Wide>(size);
    if (bytes > file->size - start) throw broken(path, "it is cut off");
    array.data = reinterpret_cast<const std::byte*>(file->data + start);
    array.owner = file;
    return array;
}

Array new_array(DType type, Shape shape, std::byte** writable) {
    const auto bytes = static_cast<size_t>(elements(shape)) * size_of(type);
    const auto memory = std::make_shared<std::vector<std::byte>>(bytes);
    *writable = memory->data();
    return Array{type, std::move(shape), memory->data(), memory};
}

}  // namespace sut
