# What `cmake --install` and `cpack` write: the program, a library and its headers for each layer, and the package that
# find_package(transkimmer) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(TK_INCLUDE_FOLDER ${CMAKE_INSTALL_INCLUDEDIR}/transkimmer)
set(TK_PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/transkimmer)

# cuBLAS may lie where the loader does not look.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ${TK_CUDA_FOUND})

# Headers keep their folder, so that includes are written as in the sources; those of a backend, of the
# program, and the one that needs a JSON library stay.
function(tk_install_layer layer)
  set_target_properties(tk_${layer} PROPERTIES
    EXPORT_NAME ${layer}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH $ORIGIN)
  if(TK_INSTALL)
    install(TARGETS tk_${layer} EXPORT transkimmer INCLUDES DESTINATION ${TK_INCLUDE_FOLDER})
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/ DESTINATION ${TK_INCLUDE_FOLDER}/${folder}
      FILES_MATCHING PATTERN "*.h" PATTERN "*.inc"
      PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN cli EXCLUDE PATTERN json.h EXCLUDE)
  endif()
endfunction()

function(tk_install_program target)
  if(BUILD_SHARED_LIBS)
    file(RELATIVE_PATH libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH $ORIGIN/${libraries})
  endif()
  if(TK_INSTALL)
    install(TARGETS ${target})
  endif()
endfunction()

if(NOT TK_INSTALL)
  return()
endif()

configure_file(${CMAKE_CURRENT_LIST_DIR}/transkimmer-config.cmake.in ${PROJECT_BINARY_DIR}/transkimmer-config.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/transkimmer-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT transkimmer NAMESPACE tk:: FILE transkimmer-targets.cmake DESTINATION ${TK_PACKAGE_FOLDER})
install(FILES
  ${PROJECT_BINARY_DIR}/transkimmer-config.cmake
  ${PROJECT_BINARY_DIR}/transkimmer-config-version.cmake
  ${PROJECT_SOURCE_DIR}/tensor/openblas.cmake
  DESTINATION ${TK_PACKAGE_FOLDER})
install(FILES README.md CHANGELOG.md LICENSE TYPE DOC)

set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_VENDOR "The Transkimmer authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_RESOURCE_FILE_README ${PROJECT_SOURCE_DIR}/README.md)
string(TOLOWER ${CMAKE_SYSTEM_NAME} tk_system)
set(CPACK_PACKAGE_FILE_NAME transkimmer-${PROJECT_VERSION}-${tk_system}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_GENERATOR TGZ)  # cpack -G DEB makes a Debian package; it needs dpkg-shlibdeps and file
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT ${CPACK_PACKAGE_VENDOR})
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libopenblas0-openmp)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libarchive13 | libarchive13t64, libcurl4 | libcurl4t64, libssl3 | libssl3t64")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openmpi-bin, libopenblas-openmp-dev, libicu-dev, g++, cmake")  # ranks; to build with the libraries
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME transkimmer-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES /\\.git/ /\\.git$ /build/ /build- /\\.cache/ /transkimmer-demo/ /__pycache__/ \\.pyc$)
include(CPack)
